/** Starts the page: configuration, sign-in, then the console. */
import type { Config } from "@central-llm/functions/api/contract-person";
import { QueryClientProvider } from "@tanstack/react-query";
import { type ReactNode, StrictMode } from "react";
import { I18nProvider } from "react-aria-components/I18nProvider";
import { createRoot } from "react-dom/client";
import * as z from "zod/mini";
import { queryClient } from "./api-query.ts";
import { Button } from "./control/button.tsx";
import { mendLanguage } from "./language.ts";
import { issuesOf } from "./search-error.tsx";
import * as SignIn from "./sign-in.ts";
import { SignedIn } from "./signed-in.tsx";
import "./style/tokens.css";
import "./style/base.css";
import "./style/layout.css";
import "./style/control.css";
import "./style/overlay.css";
import "./style/state.css";
import "./style/table.css";
import "./style/audit.css";
import "./style/record.css";
import "./style/overview.css";

// zod would try `new Function` and the policy would report it.
z.config({ jitless: true });
mendLanguage();

const root = createRoot(document.getElementById("app") as HTMLElement, {
  // An address that cannot be read is the person's, and is said on the page; anything else is a fault of ours.
  onCaughtError: (error) => {
    if (issuesOf(error) === null) console.error(error);
  },
});
const show = (page: ReactNode) =>
  root.render(
    <StrictMode>
      <I18nProvider locale="en-US">{page}</I18nProvider>
    </StrictMode>,
  );

function Door({ title, children }: { title: string; children: ReactNode }) {
  return (
    <main className="door">
      <img src="/icon.svg" alt="" width="40" height="40" />
      <h1>{title}</h1>
      {children}
    </main>
  );
}

function Failure({ error }: { error: unknown }) {
  return (
    <Door title="Signing in failed">
      <p role="alert">{error instanceof Error ? error.message : String(error)}</p>
      <Button look="primary" onPress={() => location.assign("/")}>
        Try again
      </Button>
    </Door>
  );
}

async function configuration(): Promise<Config> {
  const response = await fetch("/config.json", { cache: "no-store" });
  if (!response.ok)
    throw new Error(`The console's configuration is not there: /config.json gave ${response.status}.`);
  return response.json();
}

async function start(): Promise<void> {
  show(
    <Door title="Central LLM audit">
      <p role="status">Signing in …</p>
    </Door>,
  );
  const state = await SignIn.start(await configuration());
  if (state === "signed-out") {
    show(
      <Door title="You are signed out">
        <Button look="primary" onPress={() => SignIn.signIn()}>
          Sign in
        </Button>
      </Door>,
    );
    return;
  }
  show(
    <QueryClientProvider client={queryClient}>
      <SignedIn />
    </QueryClientProvider>,
  );
}

start().catch((error: unknown) => show(<Failure error={error} />));
