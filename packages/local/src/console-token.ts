/** API Gateway's JWT authorizer: signature, issuer, audience, times; claims go to the function as text. */
import { createRemoteJWKSet, type JWTPayload, jwtVerify } from "jose";

export type TokenCheck = (authorization: string | undefined) => Promise<Record<string, string> | null>;

/** Lists are `[a b]`, as API Gateway writes them. */
const asText = (value: unknown) =>
  Array.isArray(value) ? `[${value.join(" ")}]` : typeof value === "string" ? value : String(value);

/** @returns null: no token, or none that holds */
export function tokenCheck(issuer: string, audience: string): TokenCheck {
  const keys = createRemoteJWKSet(new URL("/jwks", issuer));
  return async (authorization) => {
    const token = /^Bearer ([\w.-]+)$/i.exec(authorization ?? "")?.[1];
    if (token === undefined) return null;
    let claims: JWTPayload;
    try {
      ({ payload: claims } = await jwtVerify(token, keys, { issuer, audience, algorithms: ["RS256"] }));
    } catch (error) {
      if ((error as { code?: string }).code?.startsWith("ERR_J")) return null;
      throw error;
    }
    return Object.fromEntries(Object.entries(claims).map(([name, value]) => [name, asText(value)]));
  };
}
