/** The address says something that the page cannot read. Showing more than was asked for would be wrong; it asks instead. */
import { useRouter } from "@tanstack/react-router";
import { ApiError } from "./api-error.ts";
import { Button } from "./control/button.tsx";
import { Failed } from "./control/state.tsx";

interface Issue {
  path: PropertyKey[];
  message: string;
}

/** What an address holds that cannot be read; null when the error is another. */
export function issuesOf(error: unknown): Issue[] | null {
  for (let at = error; at instanceof Error; at = at.cause) {
    const { issues } = at as { issues?: unknown };
    if (Array.isArray(issues)) return issues as Issue[];
  }
  return null;
}

export function PageError({ error }: { error: unknown }) {
  const router = useRouter();
  const issues = issuesOf(error);
  if (issues === null) {
    const shown =
      error instanceof ApiError
        ? error
        : new ApiError(0, "page", "Something on this page went wrong. Reload it to try again.");
    return <Failed error={shown} what="this page" onRetry={() => location.reload()} />;
  }
  return (
    <div className="state failed" role="alert">
      <strong>This address cannot be read</strong>
      <ul>
        {issues.map(({ path, message }) => (
          <li key={path.join(".")}>
            <code>{path.join(".") || "address"}</code>: {message}
          </li>
        ))}
      </ul>
      <Button onPress={() => router.navigate({ to: ".", search: {} as never })}>
        Open the page without filters
      </Button>
    </div>
  );
}
