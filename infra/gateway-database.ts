/** Seed 004 §4.4: PostgreSQL for keys, limits and spend. Its password is made, kept and changed by RDS itself. */
import { key } from "./encryption.ts";
import { logGroup } from "./log-group.ts";
import { databaseSubnetIds } from "./network.ts";
import { gatewaySecurity } from "./security-groups.ts";
import { serviceRole } from "./service-role.ts";
import { holdsData, named, settings } from "./stage.ts";

const { gateway } = settings;
if (!gateway || !gatewaySecurity) throw new Error("this stage has no gateway");
const { database: size } = gateway;

const identifier = named("llmlite-postgres");
export const DATABASE_NAME = "litellm_db";

const subnets = new aws.rds.SubnetGroup("DatabaseSubnets", {
  name: named("llmlite-database"),
  subnetIds: databaseSubnetIds,
});
const parameters = new aws.rds.ParameterGroup("DatabaseParameters", {
  family: "postgres15",
  parameters: [
    { name: "rds.force_ssl", value: "1" },
    // Seed 004 §6.5: slow queries are those over a second.
    { name: "log_min_duration_statement", value: "1000" },
    { name: "log_connections", value: "1" },
    { name: "log_disconnections", value: "1" },
    { name: "log_lock_waits", value: "1" },
  ],
});
const monitoringRole = serviceRole("DatabaseMonitoringRole", "monitoring.rds.amazonaws.com", [], {
  managedPolicyArns: ["arn:aws:iam::aws:policy/service-role/AmazonRDSEnhancedMonitoringRole"],
});
// RDS would make these groups itself, without encryption or an end.
export const databaseLogs = logGroup("DatabaseLogs", `/aws/rds/instance/${identifier}/postgresql`);
const upgradeLogs = logGroup("DatabaseUpgradeLogs", `/aws/rds/instance/${identifier}/upgrade`);

export const database = new aws.rds.Instance(
  "Database",
  {
    identifier,
    engine: "postgres",
    engineVersion: size.engineVersion,
    instanceClass: size.instanceClass,
    dbName: DATABASE_NAME,
    port: 5432,
    username: "litellm",
    manageMasterUserPassword: true,
    masterUserSecretKmsKeyId: key.arn,
    storageType: "gp3",
    allocatedStorage: size.storageGb,
    maxAllocatedStorage: size.maxStorageGb,
    storageEncrypted: true,
    kmsKeyId: key.arn,
    multiAz: size.multiAz,
    dbSubnetGroupName: subnets.name,
    vpcSecurityGroupIds: [gatewaySecurity.database.id],
    publiclyAccessible: false,
    parameterGroupName: parameters.name,
    caCertIdentifier: "rds-ca-rsa2048-g1",
    backupRetentionPeriod: size.backupDays,
    backupWindow: "03:00-04:00",
    maintenanceWindow: "sun:04:00-sun:05:00",
    copyTagsToSnapshot: true,
    deleteAutomatedBackups: !settings.production,
    autoMinorVersionUpgrade: true,
    allowMajorVersionUpgrade: false,
    monitoringInterval: 60,
    monitoringRoleArn: monitoringRole.arn,
    performanceInsightsEnabled: true,
    performanceInsightsRetentionPeriod: 7,
    performanceInsightsKmsKeyId: key.arn,
    enabledCloudwatchLogsExports: ["postgresql", "upgrade"],
    deletionProtection: size.deletionProtection,
    skipFinalSnapshot: !settings.production,
    ...(settings.production && { finalSnapshotIdentifier: `${identifier}-final` }),
  },
  { ...holdsData, dependsOn: [databaseLogs, upgradeLogs] },
);

/** Where the password is; nobody but the tasks' execution role and RDS reads it. */
export const passwordSecretArn = database.masterUserSecrets.apply((secrets) => {
  const [secret] = secrets;
  if (!secret) throw new Error("RDS manages the password and says where it is");
  return secret.secretArn;
});

/** Sunday, in the maintenance window; gateway-rotation.ts starts the tasks anew when it has happened. */
new aws.secretsmanager.SecretRotation("DatabasePasswordRotation", {
  secretId: passwordSecretArn,
  rotateImmediately: false,
  rotationRules: { scheduleExpression: "cron(0 4 ? * SUN *)", duration: "1h" },
});
