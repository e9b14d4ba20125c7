/** Time to live and point-in-time recovery: kept with the table and reported back, without effect on its items. */
import type { Json, Store } from "./dynalite-internals.ts";

type Call = (operation: string, data: Json) => Promise<Json>;

interface Settings {
  ttlAttribute: string | null;
  pointInTimeRecovery: boolean;
}

export function tableSettings(store: Store, call: Call): [string, (data: Json) => Promise<Json>][] {
  // Beside the tables' own keys in the same store, so that they outlive a restart together.
  const key = (table: string) => `settings~${table}`;
  const read = async (table: string): Promise<Settings> => {
    await call("DescribeTable", { TableName: table });
    const stored = (await store.db.get(key(table))) as Settings | undefined;
    return stored ?? { ttlAttribute: null, pointInTimeRecovery: false };
  };
  const write = async (table: string, change: Partial<Settings>) => {
    await store.db.put(key(table), { ...(await read(table)), ...change });
  };
  const backups = async (data: Json) => ({
    ContinuousBackupsDescription: {
      ContinuousBackupsStatus: "ENABLED",
      PointInTimeRecoveryDescription: {
        PointInTimeRecoveryStatus: (await read(data.TableName)).pointInTimeRecovery ? "ENABLED" : "DISABLED",
      },
    },
  });
  return [
    [
      "UpdateTimeToLive",
      async (data) => {
        const wanted = data.TimeToLiveSpecification;
        await write(data.TableName, { ttlAttribute: wanted.Enabled ? wanted.AttributeName : null });
        return { TimeToLiveSpecification: wanted };
      },
    ],
    [
      "DescribeTimeToLive",
      async (data) => {
        const { ttlAttribute } = await read(data.TableName);
        return {
          TimeToLiveDescription: ttlAttribute
            ? { TimeToLiveStatus: "ENABLED", AttributeName: ttlAttribute }
            : { TimeToLiveStatus: "DISABLED" },
        };
      },
    ],
    [
      "UpdateContinuousBackups",
      async (data) => {
        const wanted = data.PointInTimeRecoverySpecification;
        await write(data.TableName, { pointInTimeRecovery: Boolean(wanted.PointInTimeRecoveryEnabled) });
        return backups(data);
      },
    ],
    ["DescribeContinuousBackups", backups],
  ];
}
