/** The security headers that CloudFront sets on the console's pages (infra/console.ts). */

/** No inline script or style, nothing from elsewhere; the issuer is the one foreign origin that a page talks to. */
export const contentSecurityPolicy = (issuerOrigins: string) =>
  `default-src 'self'; connect-src 'self' ${issuerOrigins}; img-src 'self' data:; object-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'`;

export const consoleHeaders = (issuer: string): Record<string, string> => ({
  "content-security-policy": contentSecurityPolicy(new URL(issuer).origin),
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "referrer-policy": "no-referrer",
  "permissions-policy": "camera=(), microphone=(), geolocation=()",
  "cross-origin-opener-policy": "same-origin",
});
