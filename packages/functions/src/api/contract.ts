/**
 * The console API's contract: every route with the schemas of what it takes and gives. Types for the page, the OpenAPI
 * document (`GET /api/openapi.json`) and the authorization matrix come from here.
 *
 * **Signing in.** `GET /config.json` (no token) names issuer and client. The page is a public client: authorization code with
 * PKCE (S256), redirect to `<origin>/callback`, scope as `/config.json` has it; refresh tokens rotate; sign-out at
 * the issuer's `end_session_endpoint` with `post_logout_redirect_uri=<origin>/`. Tokens stay in memory. Every call below
 * `/api` carries `Authorization: Bearer <access token>` and nothing else is looked at, no cookie, so other sites can do nothing
 * in the person's name. Without a valid token API Gateway (locally the console's host) answers 401
 * `{"message":"Unauthorized"}`; all other errors are `{"error":{"code","message","details"}}` (`contract-error.ts`). A person
 * without a role gets 403 `forbidden` everywhere.
 *
 * **Roles** are the token's groups (`cognito:groups`): `viewer`, `auditor`, `operator`, `admin`; groups `project:<id>` bind the
 * person to these projects. `permission.ts` has the table; `GET /api/me` says what applies.
 *
 * **Audited**: searches (first pages), tails (first calls), bodies, exports and their links, replays and changes of keys are
 * records of their own in the same trail (profile `console`), stored before the answer is given.
 *
 * Bodies are JSON; query values are text. Unknown fields are refused (400). Times are ISO 8601; `to` is excluded.
 */
import { OPERATING } from "./contract-operating.ts";
import { READING } from "./contract-reading.ts";

export const ROUTES = { ...READING, ...OPERATING } as const;
export type RouteName = keyof typeof ROUTES;
