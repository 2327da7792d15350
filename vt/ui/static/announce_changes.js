// A screen reader says what changes here.
element.setAttribute('role', 'status');
