// Tells that the server has chosen a film in its visitor's place, which is looked at as one that was uploaded (send_files.js).
() => { document.dispatchEvent(new Event('vt-chosen')); }
