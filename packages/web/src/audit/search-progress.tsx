/** How far a search has come that one answer could not finish, and the way to stop it or to let it go on. */
import { Button } from "../control/button.tsx";
import { Note } from "../control/state.tsx";
import * as Format from "../format.ts";
import { Time } from "../zone-context.tsx";

interface Props {
  /** Null where rows do not come in the order of time. */
  searchedUntil: string | null;
  from: string;
  to: string;
  /** Rows looked at. */
  examined: number;
  isSearchingOn: boolean;
  onStop: () => void;
  onGoOn: () => void;
}

export function SearchProgress({ searchedUntil, from, to, examined, isSearchingOn, onStop, onGoOn }: Props) {
  const [begin, end] = [Date.parse(from), Date.parse(to)];
  const share = searchedUntil === null ? null : (end - Date.parse(searchedUntil)) / Math.max(end - begin, 1);
  return (
    <Note
      tone={isSearchingOn ? "info" : "warn"}
      actions={
        isSearchingOn ? <Button onPress={onStop}>Stop</Button> : <Button onPress={onGoOn}>Go on</Button>
      }
    >
      {/* Spoken when it stops or goes on, and not at each answer. */}
      <span role="status">{isSearchingOn ? "Searching on." : "Stopped searching."}</span>{" "}
      {searchedUntil !== null && (
        <>
          <strong>Searched until </strong>
          <Time iso={searchedUntil} />
          {share !== null && `, ${Math.floor(Math.min(Math.max(share, 0), 1) * 100)} % of the window`}.{" "}
        </>
      )}
      {Format.counted(examined, "row")} looked at
      {isSearchingOn
        ? "."
        : searchedUntil === null
          ? "; others are not searched yet."
          : "; older ones are not searched yet."}
    </Note>
  );
}
