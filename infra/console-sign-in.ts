/** Who may use the console: a Cognito pool with one group a role, or any OpenID Connect issuer of the settings. */
import { holdsData, named, region, settings } from "./stage.ts";

export const CONSOLE_HOST = `console.${settings.domain}`;
/** The page that `sst dev` serves (packages/web/vite.config.ts). */
export const LOCAL_PAGE = "http://localhost:5173";
/** Where people may come back to from signing in. */
const origins = [`https://${CONSOLE_HOST}`, ...(settings.production ? [] : [LOCAL_PAGE])];

/** The console's roles; what each may see is decided on the server, by the `cognito:groups` claim. */
export const ROLES = ["viewer", "auditor", "operator", "admin"] as const;

function cognito() {
  const pool = new sst.aws.CognitoUserPool("ConsoleUsers", {
    usernames: ["email"],
    mfa: "on",
    softwareToken: true,
    transform: {
      userPool: (args, opts) => {
        args.name = named("central-llm-console");
        // Accounts are given, not taken.
        args.adminCreateUserConfig = { allowAdminCreateUserOnly: true };
        args.passwordPolicy = {
          minimumLength: 14,
          requireLowercase: true,
          requireUppercase: true,
          requireNumbers: true,
          requireSymbols: false,
          temporaryPasswordValidityDays: 3,
        };
        args.deletionProtection = settings.production ? "ACTIVE" : "INACTIVE";
        Object.assign(opts, holdsData);
      },
    },
  });
  for (const [precedence, name] of ROLES.entries()) {
    new aws.cognito.UserGroup(`ConsoleRole-${name}`, { userPoolId: pool.id, name, precedence });
  }
  const domain = new aws.cognito.UserPoolDomain("ConsoleSignInDomain", {
    userPoolId: pool.id,
    domain: `central-llm-${$app.stage}-${region}`,
  });
  const client = new aws.cognito.UserPoolClient("ConsoleClient", {
    name: named("central-llm-console"),
    userPoolId: pool.id,
    generateSecret: false, // a browser cannot keep one; PKCE takes its place
    allowedOauthFlowsUserPoolClient: true,
    allowedOauthFlows: ["code"],
    allowedOauthScopes: ["openid", "email", "profile"],
    callbackUrls: origins.map((origin) => `${origin}/callback`),
    logoutUrls: origins.map((origin) => `${origin}/`),
    supportedIdentityProviders: ["COGNITO"],
    explicitAuthFlows: ["ALLOW_REFRESH_TOKEN_AUTH"],
    preventUserExistenceErrors: "ENABLED",
    enableTokenRevocation: true,
    accessTokenValidity: 15,
    idTokenValidity: 15,
    refreshTokenValidity: 8,
    tokenValidityUnits: { accessToken: "minutes", idToken: "minutes", refreshToken: "hours" },
  });
  const url = $interpolate`https://cognito-idp.${region}.amazonaws.com/${pool.id}`;
  return {
    url,
    audience: client.id as $util.Input<string>,
    /** Cognito's metadata names no `end_session_endpoint`. */
    logoutUrl: $interpolate`https://${domain.domain}.auth.${region}.amazoncognito.com/logout` as
      | $util.Output<string>
      | undefined,
    /** Origins that the browser calls while signing in, for the content security policy. */
    origins: $interpolate`https://cognito-idp.${region}.amazonaws.com https://${domain.domain}.auth.${region}.amazoncognito.com`,
  };
}

function foreign({ url, audience }: { url: string; audience: string }) {
  return {
    url: $util.output(url),
    audience,
    logoutUrl: undefined,
    origins: $util.output(new URL(url).origin),
  };
}

const chosen = settings.console?.issuer;
export const issuer = chosen ? foreign(chosen) : cognito();
