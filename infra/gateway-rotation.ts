/**
 * RDS changes the database password by itself; a running task knows only the one that it started with. When RDS says
 * that it has (RDS-EVENT-0016), the service starts its tasks anew, one after the other, without an interruption.
 */
import { database } from "./gateway-database.ts";
import { gateway } from "./gateway-service.ts";
import { serviceRole } from "./service-role.ts";
import { named } from "./stage.ts";

const restartRole = serviceRole("RotationRestartRole", "states.amazonaws.com", [
  { actions: ["ecs:UpdateService"], resources: [gateway.service.id] },
]);
const restart = new aws.sfn.StateMachine("RotationRestart", {
  name: named("llmlite-restart-after-rotation"),
  roleArn: restartRole.arn,
  definition: $jsonStringify({
    Comment: "Start the gateway's tasks anew, so that they read the new database password",
    StartAt: "Restart",
    States: {
      Restart: {
        Type: "Task",
        Resource: "arn:aws:states:::aws-sdk:ecs:updateService",
        Parameters: {
          Cluster: gateway.cluster.name,
          Service: gateway.service.name,
          ForceNewDeployment: true,
        },
        Retry: [{ ErrorEquals: ["States.ALL"], IntervalSeconds: 10, MaxAttempts: 5, BackoffRate: 2 }],
        End: true,
      },
    },
  }),
});
const startRole = serviceRole("RotationEventRole", "events.amazonaws.com", [
  { actions: ["states:StartExecution"], resources: [restart.arn] },
]);
const rotated = new aws.cloudwatch.EventRule("PasswordRotated", {
  name: named("llmlite-password-rotated"),
  description: "RDS has changed the gateway database's master password",
  eventPattern: $jsonStringify({
    source: ["aws.rds"],
    "detail-type": ["RDS DB Instance Event"],
    detail: { EventID: ["RDS-EVENT-0016"], SourceIdentifier: [database.identifier] },
  }),
});
new aws.cloudwatch.EventTarget("PasswordRotatedRestart", {
  rule: rotated.name,
  arn: restart.arn,
  roleArn: startRole.arn,
});
