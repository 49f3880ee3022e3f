"use strict";

// Redoc ends its menu with a logo from its maker's host. These pages ask no other host, and this one has no images.
const createElement = document.createElement;
document.createElement = (name, ...rest) => createElement.call(document, name === "img" ? "span" : name, ...rest);

const font = "system-ui, sans-serif";
const options = {
    scrollYOffset: ".bar",
    hideDownloadButton: true,
    theme: {
        colors: { primary: { main: "#9810fa" } },
        spacing: { sectionVertical: 16 },
        typography: { fontFamily: font, headings: { fontFamily: font } },
    },
};
loadDocument().then((spec) => Redoc.init(spec, options, main));
