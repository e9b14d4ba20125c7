import { suffixOf } from "@central-llm/cli/deployed-stage";
import { describe, expect, test } from "vitest";
import { parseSettings, placeholdersIn, settingsOf } from "./settings.ts";
import { stages } from "./stages.ts";

describe("a stage's settings", () => {
  test.each(Object.keys(stages))("of %s are complete", (stage) => {
    expect(settingsOf(stage).region).toMatch(/^eu-/);
  });

  test("that lack something say the stage and each missing path", () => {
    const { region: _, gateway, ...rest } = settingsOf("prod");
    const { waf: __, database: ___, ...smaller } = { waf: 0, ...gateway };
    expect(() => parseSettings("prod", { ...rest, gateway: smaller })).toThrow(
      /stage "prod" .*\n {2}region: .*\n {2}gateway\.database: /,
    );
  });

  test("refuse what they do not know, so that a typing error is no silent default", () => {
    expect(() => parseSettings("prod", { ...settingsOf("prod"), regoin: "x" })).toThrow(/regoin/);
  });

  test("of an unknown stage name the known ones", () => {
    expect(() => settingsOf("staging")).toThrow(/no stage "staging".*dev, prod, prod-frankfurt, prod-london/);
  });

  test("know which of them are placeholders that a deployment refuses", () => {
    const unfilled = placeholdersIn(settingsOf("prod"));
    expect(unfilled).toEqual(
      expect.arrayContaining(["domain", "alarmEmail", "nodeImage.digest", "gateway.litellm.digest"]),
    );
    expect(unfilled).not.toContain("region");
  });

  test("make the seeds' two regions two stages", () => {
    expect(settingsOf("prod-frankfurt")).toMatchObject({ region: "eu-central-1", gateway: null });
    expect(settingsOf("prod-london")).toMatchObject({ region: "eu-west-2", central: null });
  });
});

test("the CLI names a stage's parts as the stage does", () => {
  for (const stage of Object.keys(stages)) expect(suffixOf(stage), stage).toBe(settingsOf(stage).suffix);
});
