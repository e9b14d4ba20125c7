/** Times as the person wants them: the address says `utc=1`, and every page keeps it. */
import { createContext, useContext } from "react";
import * as TimeZone from "./time-zone.ts";

export const ZoneContext = createContext<TimeZone.Zone>("local");
export const useZone = () => useContext(ZoneContext);

/** In tables, whose headings say the zone. */
export function ShortTime({ iso }: { iso: string | null | undefined }) {
  const zone = useZone();
  if (!iso) return <>–</>;
  return (
    <time dateTime={iso} title={TimeZone.full(iso, zone)}>
      {TimeZone.seconds(iso, zone)}
    </time>
  );
}

/** An instant to the second with its zone; to the millisecond for those who hover or read the source. */
export function Time({ iso, precise }: { iso: string | null | undefined; precise?: boolean }) {
  const zone = useZone();
  if (!iso) return <>–</>;
  return (
    <time dateTime={iso} title={TimeZone.full(iso, zone)}>
      {precise
        ? TimeZone.full(iso, zone)
        : `${TimeZone.seconds(iso, zone)} ${TimeZone.name(zone, Date.parse(iso))}`}
    </time>
  );
}
