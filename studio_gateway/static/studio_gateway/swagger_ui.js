"use strict";

loadDocument().then((spec) =>
    SwaggerUIBundle({
        spec,
        domNode: main,
        deepLinking: true,
        defaultModelsExpandDepth: 0,
        displayRequestDuration: true,
        // The badge of the default one asks another host.
        validatorUrl: null,
    }),
);
