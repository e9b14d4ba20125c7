/** The form of a route: what goes in, what comes out, and which permission it needs. `contract.ts` lists them all. */
import type { z } from "zod";
import type { Permission } from "./permission.ts";

export interface Route {
  method: "GET" | "POST" | "PATCH";
  /** `{name}` stands for one path segment, percent-encoded. */
  path: `/${string}`;
  summary: string;
  /** `signed-in`: whoever has a role. `public`: no token (the page needs it to sign in). */
  permission: Permission | "signed-in" | "public";
  params?: z.ZodObject;
  query?: z.ZodObject;
  body?: z.ZodObject;
  answer: z.ZodType;
  /** Of a success; 200 when left out. */
  status?: 200 | 201 | 202;
}

/** Keeps the schemas' own types. */
export const route = <const R extends Route>(definition: R): R => definition;
