import { describe, expect, test } from "vitest";
import { planOf } from "./plan/plan.ts";
import { only } from "./plan/resource.ts";

const [prod, dev] = [await planOf("prod"), await planOf("dev")];
const both = [
  ["prod", prod],
  ["dev", dev],
] as const;

describe("the database", () => {
  test("of prod is seed 004 §4.4's", () => {
    expect(only(prod, "aws:rds/instance:Instance").inputs).toMatchObject({
      identifier: "llmlite-postgres",
      engine: "postgres",
      engineVersion: "15",
      instanceClass: "db.t4g.small",
      dbName: "litellm_db",
      port: 5432,
      storageType: "gp3",
      allocatedStorage: 20,
      maxAllocatedStorage: 100,
      multiAz: true,
      backupRetentionPeriod: 7,
      backupWindow: "03:00-04:00",
      maintenanceWindow: "sun:04:00-sun:05:00",
      monitoringInterval: 60,
      performanceInsightsEnabled: true,
      performanceInsightsRetentionPeriod: 7,
      enabledCloudwatchLogsExports: ["postgresql", "upgrade"],
      deletionProtection: true,
      skipFinalSnapshot: false,
      vpcSecurityGroupIds: ["RdsGroup-id"],
    });
    expect(only(prod, "aws:rds/subnetGroup:SubnetGroup").inputs.subnetIds).toEqual([
      "DatabaseSubnetA-id",
      "DatabaseSubnetB-id",
    ]);
  });

  test("of dev is small and single", () => {
    expect(only(dev, "aws:rds/instance:Instance").inputs).toMatchObject({
      instanceClass: "db.t4g.micro",
      multiAz: false,
      deletionProtection: false,
    });
  });

  test.each(both)("of %s takes TLS only and has a password that RDS makes and changes", (_, plan) => {
    const { parameters, family } = only(plan, "aws:rds/parameterGroup:ParameterGroup").inputs;
    expect(family).toBe("postgres15");
    expect(parameters).toContainEqual({ name: "rds.force_ssl", value: "1" });
    expect(parameters).toContainEqual({ name: "log_min_duration_statement", value: "1000" });
    const database = only(plan, "aws:rds/instance:Instance").inputs;
    expect(database.manageMasterUserPassword).toBe(true);
    expect(database.password).toBeUndefined();
    expect(
      only(plan, "aws:secretsmanager/secretRotation:SecretRotation").inputs.rotationRules.scheduleExpression,
    ).toMatch(/SUN/);
  });

  test.each(both)("of %s has its tasks started anew after each change of the password", (_, plan) => {
    const rule = only(plan, "aws:cloudwatch/eventRule:EventRule", "PasswordRotated").inputs;
    expect(JSON.parse(rule.eventPattern).detail.EventID).toEqual(["RDS-EVENT-0016"]);
    const definition = JSON.parse(only(plan, "aws:sfn/stateMachine:StateMachine").inputs.definition);
    expect(definition.States.Restart).toMatchObject({
      Resource: "arn:aws:states:::aws-sdk:ecs:updateService",
      Parameters: { ForceNewDeployment: true },
    });
    expect(only(plan, "aws:cloudwatch/eventTarget:EventTarget", "PasswordRotatedRestart").inputs.rule).toBe(
      rule.name,
    );
  });
});
