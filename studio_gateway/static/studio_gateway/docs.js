"use strict";

const main = document.getElementById("docs");

// The published contract has no example of an order, and /openapi.json is that contract; who reads these pages has some.
const EXAMPLES = {
    "/v1/background-generator": {
        scene_type: "podium",
        mood: "warm and calm",
        dominant_colors: ["sage"],
        resolution: "1K",
        seed: 7,
    },
    "/v1/extract": {
        trial_image: "clients/1/photo.jpg",
        extraction_context: { max_items: 2, product_name: "linen jacket" },
    },
};

async function loadDocument() {
    const spec = await (await fetch(main.dataset.document)).json();
    for (const [path, example] of Object.entries(EXAMPLES)) {
        spec.paths[path].post.requestBody.content["application/json"].example = example;
    }
    return spec;
}
