/** The states of what was asked for. Loading, empty, failed and partial never look alike, and none moves the page. */
import type { ReactNode } from "react";
import type { ApiError } from "../api-error.ts";
import { Button } from "./button.tsx";

/** Holds the place of what is to come: as many bars as rows are expected. */
export function Loading({ what, rows = 6 }: { what: string; rows?: number }) {
  return (
    <div className="loading" role="status">
      <span className="visually-hidden">Loading {what} …</span>
      {Array.from({ length: rows }, (_, row) => (
        <span key={row} className="bar" aria-hidden="true" />
      ))}
    </div>
  );
}

export function Failed({ error, what, onRetry }: { error: ApiError; what: string; onRetry?: () => void }) {
  if (error.status === 403) return <Forbidden message={error.message} />;
  return (
    <div className="state failed" role="alert">
      <strong>{error.status === 404 ? "Not found" : `Could not load ${what}`}</strong>
      <p>{error.message}</p>
      <p className="muted mono">
        {error.status > 0 ? `${error.status} ` : ""}
        {error.code}
        {error.requestId ? ` · ${error.requestId}` : ""}
      </p>
      {onRetry && error.status !== 404 && <Button onPress={onRetry}>Try again</Button>}
    </div>
  );
}

/** 403: what is there but not for this person. */
export function Forbidden({ message }: { message: string }) {
  return (
    <div className="state forbidden" role="alert">
      <strong>Not for your role</strong>
      <p>{message}</p>
    </div>
  );
}

export function Empty({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <div className="state empty" role="status">
      <strong>{title}</strong>
      {children}
    </div>
  );
}

export function Note({
  tone,
  children,
  actions,
}: {
  tone: "good" | "warn" | "bad" | "info";
  children: ReactNode;
  actions?: ReactNode;
}) {
  return (
    <div className={`note ${tone}`}>
      <div className="grow">{children}</div>
      {actions}
    </div>
  );
}

export function Badge({
  tone = "plain",
  title,
  children,
}: {
  tone?: "plain" | "good" | "warn" | "bad" | "info";
  title?: string;
  children: ReactNode;
}) {
  return (
    <span className={`badge ${tone}`} title={title}>
      {children}
    </span>
  );
}
