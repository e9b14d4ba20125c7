/** A page for those who may; the others are told whose it is. The server refuses them too. */
import type { ReactNode } from "react";
import { Forbidden } from "./control/state.tsx";
import { PageHead } from "./layout.tsx";
import { type Permission, useMay, useMe } from "./me.ts";

export function Guarded({
  permission,
  title,
  children,
}: {
  permission: Permission;
  title: string;
  children: ReactNode;
}) {
  const me = useMe();
  if (useMay(permission)) return children;
  return (
    <>
      <PageHead title={title} />
      <div className="panel">
        <Forbidden
          message={`This page needs the permission “${permission}”. You are signed in as ${me.name} (${me.roles.join(", ")})${me.projects ? ", for single projects" : ""}.`}
        />
      </div>
    </>
  );
}
