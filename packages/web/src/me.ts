/** Who is signed in and what they may do. The server decides; the page uses it to offer only what will work. */
import type { Me } from "@central-llm/functions/api/contract-person";
import { createContext, useContext } from "react";

export const MeContext = createContext<Me | null>(null);

export function useMe(): Me {
  const me = useContext(MeContext);
  if (me === null) throw new Error("useMe outside of the signed-in page");
  return me;
}

export type Permission = Me["permissions"][number];

export function useMay(permission: Permission): boolean {
  return useMe().permissions.includes(permission);
}
