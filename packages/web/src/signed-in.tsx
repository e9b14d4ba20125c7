/** The console once somebody is signed in: first who it is, then the page that the address names. */
import { RouterProvider } from "@tanstack/react-router";
import { useApi } from "./api-query.ts";
import { Button } from "./control/button.tsx";
import { Failed, Loading } from "./control/state.tsx";
import { MeContext } from "./me.ts";
import { router } from "./router.tsx";
import { SessionEnd } from "./session-end.tsx";
import * as SignIn from "./sign-in.ts";

export function SignedIn() {
  const me = useApi("me", {}, { staleTime: Number.POSITIVE_INFINITY });
  if (me.data === undefined) {
    return (
      <main className="door">
        {me.error ? (
          <Failed error={me.error} what="your account" onRetry={() => me.refetch()} />
        ) : (
          <Loading what="your account" rows={3} />
        )}
        {me.error?.status === 403 && <Button onPress={() => SignIn.signOut()}>Sign out</Button>}
        <SessionEnd />
      </main>
    );
  }
  return (
    <MeContext value={me.data}>
      <RouterProvider router={router} />
    </MeContext>
  );
}
