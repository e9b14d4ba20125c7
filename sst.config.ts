/// <reference path="./.sst/platform/config.d.ts" />

// An index of infra/: one noun a file. Values that differ between stages are in infra/stages.ts.
export default $config({
  async app(input) {
    const { settingsOf } = await import("./infra/settings.ts");
    const { region, production } = settingsOf(input.stage);
    return {
      name: "central-llm",
      version: "4.17.1",
      home: "aws",
      removal: production ? "retain" : "remove",
      protect: production,
      providers: {
        aws: {
          version: "7.20.0",
          region,
          defaultTags: { tags: { app: "central-llm", stage: input.stage } },
        },
      },
    };
  },
  async run() {
    const { settings } = await import("./infra/stage.ts");
    const { bucket } = await import("./infra/audit-storage.ts");
    const { table } = await import("./infra/audit-table.ts");
    const { queue, deadLetterQueue } = await import("./infra/audit-ingest.ts");
    await import("./infra/audit-trail.ts");
    await import("./infra/schedules.ts");
    const central = settings.central && (await import("./infra/central-api.ts"));
    if (central) await import("./infra/central-monitoring.ts");
    const gateway = settings.gateway && (await import("./infra/gateway-service.ts"));
    if (gateway) {
      await import("./infra/gateway-rotation.ts");
      await import("./infra/cost-file.ts");
      await import("./infra/gateway-dashboard.ts");
    }
    const console = settings.console && (await import("./infra/console.ts"));
    return {
      auditBucket: bucket.name,
      auditTable: table.name,
      ingestQueueUrl: queue.url,
      deadLetterQueueUrl: deadLetterQueue.url,
      ...(central && { centralUrl: central.url, centralService: central.service }),
      ...(gateway && { gatewayUrl: gateway.url, gatewayService: gateway.service }),
      ...(console && { consoleUrl: console.url }),
    };
  },
});
