/** How issuers write their keys: a prefix that is theirs, then characters of one kind. */
import { isAlphanumeric, isBase64, isBase64Url, isHex, isLower, isUpper } from "./pii-character.ts";

export interface KeyFormat {
  /** Which characters follow the prefix. */
  isBody: (unit: number) => boolean;
  /** How many at least. */
  least: number;
  /** The body must look random: a digit, or both cases. `sk-` also begins class names of scikit-learn's pages. */
  random?: boolean;
}

const upperAlphanumeric = (unit: number): boolean => isAlphanumeric(unit) && !isLower(unit);
const dotted = (unit: number): boolean => isBase64Url(unit) || unit === 46;

const alphanumeric = (least: number): KeyFormat => ({ isBody: isAlphanumeric, least });
const dashed = (least: number): KeyFormat => ({ isBody: isBase64Url, least, random: true });

/** From the issuers' documentation and GitHub's and gitleaks' public lists of secret formats. */
export const KEY_FORMATS: ReadonlyMap<string, KeyFormat> = new Map<string, KeyFormat>([
  ["sk-", dashed(16)], // OpenAI, Anthropic, OpenRouter, LiteLLM and our own virtual keys
  ["sk_live_", alphanumeric(16)],
  ["sk_test_", alphanumeric(16)],
  ["rk_live_", alphanumeric(16)],
  ["rk_test_", alphanumeric(16)],
  ["whsec_", alphanumeric(24)], // Stripe
  ["ghp_", alphanumeric(36)],
  ["gho_", alphanumeric(36)],
  ["ghu_", alphanumeric(36)],
  ["ghs_", alphanumeric(36)],
  ["ghr_", alphanumeric(36)],
  ["github_pat_", { isBody: isBase64Url, least: 40 }],
  ["glpat-", { isBody: isBase64Url, least: 20 }],
  ["xoxa-", dashed(16)],
  ["xoxb-", dashed(16)],
  ["xoxe-", dashed(16)],
  ["xoxo-", dashed(16)],
  ["xoxp-", dashed(16)],
  ["xoxr-", dashed(16)],
  ["xoxs-", dashed(16)],
  ["xapp-", dashed(16)], // Slack
  ["hf_", alphanumeric(30)],
  ["npm_", alphanumeric(36)],
  ["gsk_", alphanumeric(32)],
  ["xai-", alphanumeric(32)],
  ["pypi-", { isBody: isBase64Url, least: 50 }],
  ["GOCSPX-", { isBody: isBase64Url, least: 28 }],
  ["dop_v1_", { isBody: isHex, least: 64 }],
  ["shpat_", { isBody: isHex, least: 32 }],
  ["shpss_", { isBody: isHex, least: 32 }],
  ["SG.", { isBody: dotted, least: 50 }], // SendGrid
  ["AKIA", { isBody: upperAlphanumeric, least: 16 }],
  ["ASIA", { isBody: upperAlphanumeric, least: 16 }],
  ["ABSK", { isBody: isBase64, least: 100 }], // Bedrock API keys
  ["AIza", { isBody: isBase64Url, least: 35 }],
]);

export function looksRandom(body: string): boolean {
  let upper = false;
  let lower = false;
  for (let at = 0; at < body.length; at++) {
    const unit = body.charCodeAt(at);
    if (unit >= 48 && unit <= 57) return true;
    upper ||= isUpper(unit);
    lower ||= isLower(unit);
  }
  return upper && lower;
}

const PREFIXES = [...KEY_FORMATS.keys(), "eyJ"];
export const PREFIX_MOST = Math.max(...PREFIXES.map((prefix) => prefix.length));

const LAST_LETTERS = new Uint8Array(128);
for (const prefix of PREFIXES) LAST_LETTERS[prefix.charCodeAt(prefix.length - 2)] = 1;

/** Whether a prefix has this character right before its `-` or `_`. */
export function endsPrefix(unit: number): boolean {
  return LAST_LETTERS[unit] === 1;
}

/** Whether more characters could make this the prefix of a key. */
export function beginsPrefix(token: string): boolean {
  return PREFIXES.some((prefix) => prefix.startsWith(token));
}
