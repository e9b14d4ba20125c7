/** Names and values, side by side. */
import type { ReactNode } from "react";

export function Facts({ children }: { children: ReactNode }) {
  return <dl className="facts">{children}</dl>;
}

export function Fact({ name, hidden, children }: { name: string; hidden?: boolean; children: ReactNode }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{hidden ? <span className="muted">Hidden from your role</span> : (children ?? "–")}</dd>
    </div>
  );
}

export function Section({
  title,
  children,
  actions,
}: {
  title: string;
  children: ReactNode;
  actions?: ReactNode;
}) {
  return (
    <section className="panel" aria-label={title}>
      <header>
        <h2>{title}</h2>
        {actions && <div className="row">{actions}</div>}
      </header>
      {children}
    </section>
  );
}
