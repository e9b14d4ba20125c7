/** The ports of one instance: the platform's, shifted by PORT_OFFSET, and a clear word when one is taken. */
import { createServer } from "node:net";
import { PORTS } from "@central-llm/core/platform";

export type PortName = keyof typeof PORTS;

export function portsAt(offset: number): Record<PortName, number> {
  return Object.fromEntries(
    Object.entries(PORTS).map(([name, port]) => [name, port + offset]),
  ) as unknown as Record<PortName, number>;
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "EADDRINUSE") resolve(false);
      else reject(error);
    });
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}

/** @returns the names of those that something else listens on */
export async function takenPorts(ports: Record<string, number>): Promise<string[]> {
  const free = await Promise.all(Object.values(ports).map(isFree));
  return Object.keys(ports).filter((_, i) => !free[i]);
}
