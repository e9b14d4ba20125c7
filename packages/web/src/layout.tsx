/** The frame of every page: navigation, who is signed in, theme, time zone, the end of the session. */
import { Link, Outlet, useNavigate, useRouterState, useSearch } from "@tanstack/react-router";
import { Suspense, useEffect, useRef, useState } from "react";
import { Account } from "./account.tsx";
import { Button } from "./control/button.tsx";
import { Dialog } from "./control/dialog.tsx";
import { Loading } from "./control/state.tsx";
import { type Permission, useMe } from "./me.ts";
import { SessionEnd } from "./session-end.tsx";
import { ZoneContext } from "./zone-context.tsx";

const PAGES: { to: string; name: string; permission: Permission }[] = [
  { to: "/", name: "Overview", permission: "overview.read" },
  { to: "/audit", name: "Audit", permission: "audit.read" },
  { to: "/dead-letters", name: "Dead letters", permission: "dead-letter.read" },
  { to: "/exports", name: "Exports", permission: "export.use" },
  { to: "/keys", name: "Keys", permission: "key.read" },
  { to: "/access-log", name: "Access log", permission: "access-log.read" },
];

function Navigation({ onNavigate }: { onNavigate?: () => void }) {
  const { permissions } = useMe();
  return (
    <nav className="nav" aria-label="Pages">
      {PAGES.filter(({ permission }) => permissions.includes(permission)).map(({ to, name }) => (
        <Link
          key={to}
          to={to}
          // Filters are a page's own; the time zone goes along (see `retainSearchParams`).
          search={{}}
          activeOptions={{ exact: to === "/", includeSearch: false }}
          onClick={() => onNavigate?.()}
        >
          {name}
        </Link>
      ))}
    </nav>
  );
}

function Brand() {
  return (
    <Link className="brand" to="/" search={{}}>
      <img src="/icon.svg" alt="" />
      Central LLM audit
    </Link>
  );
}

export function Layout() {
  const { utc } = useSearch({ strict: false }) as { utc?: "1" };
  const path = useRouterState({ select: ({ location }) => location.pathname });
  const navigate = useNavigate();
  const [menu, setMenu] = useState(false);
  const main = useRef<HTMLElement>(null);
  const first = useRef(true);
  // A new path is a new page, for screen readers as well
  useEffect(() => {
    if (!first.current) main.current?.focus();
    first.current = false;
  }, [path]);
  const onZone = (zone: "utc" | "local") =>
    navigate({
      to: ".",
      search: (search: object) => ({ ...search, utc: zone === "utc" ? ("1" as const) : undefined }),
      replace: true,
    });
  return (
    <ZoneContext value={utc ? "utc" : "local"}>
      <a className="skip-link" href="#main">
        Skip to the page
      </a>
      <header className="topbar">
        <Brand />
        <Button onPress={() => setMenu(true)}>Menu</Button>
        <Dialog title="Menu" place="side" isOpen={menu} onClose={() => setMenu(false)}>
          <Navigation onNavigate={() => setMenu(false)} />
          <Account zone={utc ? "utc" : "local"} onZone={onZone} />
        </Dialog>
      </header>
      <div className="frame">
        <header className="side">
          <Brand />
          <Navigation />
          <Account zone={utc ? "utc" : "local"} onZone={onZone} />
        </header>
        <main id="main" className="main" ref={main} tabIndex={-1}>
          <Suspense fallback={<Loading what="the page" />}>
            <Outlet />
          </Suspense>
        </main>
      </div>
      <SessionEnd />
    </ZoneContext>
  );
}

/** The page's heading and the document's title. */
export function PageHead({ title, children }: { title: string; children?: React.ReactNode }) {
  useEffect(() => {
    document.title = `${title} · Central LLM audit`;
  }, [title]);
  return (
    <div className="page-head">
      <h1>{title}</h1>
      {children && <div className="row">{children}</div>}
    </div>
  );
}
