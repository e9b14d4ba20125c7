/** The container's health check: 0 when the proxy answers its own /health with 200. The image has no curl. */
const { PORT = "8000" } = process.env;
const TIMEOUT_MS = 4000;

try {
  const answer = await fetch(`http://127.0.0.1:${PORT}/health`, { signal: AbortSignal.timeout(TIMEOUT_MS) });
  if (answer.status !== 200) throw new Error(`/health answered ${answer.status}`);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
