/**
 * Which records are calls of models. Beside those, the trail holds accesses to itself (profile `console`) and the administration of
 * the gateway's keys; lists and charts of calls leave both out, or a look at the budgets would be traffic.
 */

/** Where the gateway files calls of its administration, whichever engine it runs. */
export const ADMIN_PROJECT = "gateway-admin";
export const ADMIN_TYPE = "admin";

interface Kind {
  profile?: string | undefined;
  requestType?: string | undefined;
}

/** Of `central`, where clients choose both, a call of this name is a call of a model. */
export const isAdministration = ({ profile, requestType }: Kind) =>
  profile === "gateway" && requestType === ADMIN_TYPE;

export const isModelTraffic = (row: Kind) => row.profile !== "console" && !isAdministration(row);
