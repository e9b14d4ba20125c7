/** Which address is which page. Pages load when they are first opened. */
import {
  createRootRoute,
  createRoute,
  createRouter,
  lazyRouteComponent,
  retainSearchParams,
} from "@tanstack/react-router";
import * as z from "zod/mini";
import { AccessSearch } from "./access-log/access-search.ts";
import { AuditSearch, rangeShape } from "./audit/audit-search.ts";
import { Empty } from "./control/state.tsx";
import { DeadLetterSearch } from "./dead-letters/dead-letter-search.ts";
import { KeySearch } from "./keys/key-search.ts";
import { Layout, PageHead } from "./layout.tsx";
import * as RouteSearch from "./route-search.ts";
import { PageError } from "./search-error.tsx";

const RootSearch = z.object({ utc: z.optional(z.literal("1")) });

function NotFound() {
  return (
    <>
      <PageHead title="No such page" />
      <Empty title="Nothing is at this address.">
        <a href="/">Go to the overview</a>
      </Empty>
    </>
  );
}

const root = createRootRoute({
  component: Layout,
  notFoundComponent: NotFound,
  validateSearch: (search) => RootSearch.parse(search),
  search: { middlewares: [retainSearchParams(["utc"])] },
});

const overview = createRoute({
  getParentRoute: () => root,
  path: "/",
  validateSearch: (search) => z.object(rangeShape).parse(search),
  component: lazyRouteComponent(() => import("./overview/overview-page.tsx"), "OverviewPage"),
});
const audit = createRoute({
  getParentRoute: () => root,
  path: "/audit",
  validateSearch: (search) => AuditSearch.parse(search),
  component: lazyRouteComponent(() => import("./audit/audit-page.tsx"), "AuditPage"),
});
const record = createRoute({
  getParentRoute: () => root,
  path: "/records/$id",
  validateSearch: (search) => z.object({ receivedAt: rangeShape.from }).parse(search),
  component: lazyRouteComponent(() => import("./record/record-page.tsx"), "RecordPage"),
});
const deadLetters = createRoute({
  getParentRoute: () => root,
  path: "/dead-letters",
  validateSearch: (search) => DeadLetterSearch.parse(search),
  component: lazyRouteComponent(() => import("./dead-letters/dead-letters-page.tsx"), "DeadLettersPage"),
});
const exports = createRoute({
  getParentRoute: () => root,
  path: "/exports",
  component: lazyRouteComponent(() => import("./exports/exports-page.tsx"), "ExportsPage"),
});
const keys = createRoute({
  getParentRoute: () => root,
  path: "/keys",
  validateSearch: (search) => KeySearch.parse(search),
  component: lazyRouteComponent(() => import("./keys/keys-page.tsx"), "KeysPage"),
});
const accessLog = createRoute({
  getParentRoute: () => root,
  path: "/access-log",
  validateSearch: (search) => AccessSearch.parse(search),
  component: lazyRouteComponent(() => import("./access-log/access-log-page.tsx"), "AccessLogPage"),
});

export const router = createRouter({
  routeTree: root.addChildren([overview, audit, record, deadLetters, exports, keys, accessLog]),
  parseSearch: RouteSearch.parse,
  stringifySearch: RouteSearch.stringify,
  defaultErrorComponent: PageError,
  scrollRestoration: true,
});

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
}
