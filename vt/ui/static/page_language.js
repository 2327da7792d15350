// The server has chosen the language of the page. Gradio would choose that of its own words by the browser's, among those
// that it knows: it is told the page's.
Object.defineProperty(navigator, 'language', {configurable: true, value: document.documentElement.lang});
