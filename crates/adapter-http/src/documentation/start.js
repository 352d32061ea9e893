"use strict";

SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#description",
  deepLinking: true,
  tryItOutEnabled: true,
  // The online validator is not asked about this service.
  validatorUrl: null,
});
