/**
 * Preloaded into every process that the supervisor starts (`node --import`): when the supervisor is gone, even by
 * kill -9, its end of the IPC channel closes, and the process ends too.
 */
const GRACE_MS = 5_000;

process.on("disconnect", () => {
  process.kill(process.pid, "SIGTERM");
  setTimeout(() => process.kill(process.pid, "SIGKILL"), GRACE_MS).unref();
});
// The channel alone is no reason to go on.
process.channel?.unref();
