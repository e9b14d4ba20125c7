/** The session is over: what is on the page stays where it is, and signing in comes back to it. */
import { useSyncExternalStore } from "react";
import { Button } from "./control/button.tsx";
import { Dialog } from "./control/dialog.tsx";
import * as SignIn from "./sign-in.ts";

export function SessionEnd() {
  const state = useSyncExternalStore(SignIn.subscribe, SignIn.current);
  return (
    <Dialog title="Your session has ended" isOpen={state === "expired"} closable={false} onClose={() => {}}>
      <p>Sign in again to go on. You come back to this page with the same filters.</p>
      <div className="row end">
        <Button look="primary" autoFocus onPress={() => SignIn.signIn()}>
          Sign in again
        </Button>
      </div>
    </Dialog>
  );
}
