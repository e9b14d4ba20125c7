/** `?` shows what the keyboard can do; `/` goes to the first filter. */
import { useEffect, useState } from "react";
import { Button } from "../control/button.tsx";
import { Dialog } from "../control/dialog.tsx";
import { isTyping } from "./row-keys.ts";

const KEYS: [string, string][] = [
  ["/", "Go to the filters"],
  ["j", "Next call"],
  ["k", "Previous call"],
  ["Enter", "Open the call"],
  ["Esc", "Close what is open"],
  ["?", "This list"],
];

export function Shortcuts() {
  const [open, setOpen] = useState(false);
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
      if (document.querySelector('[role="dialog"]')) return;
      if (event.key === "?") setOpen(true);
      else if (event.key === "/") document.querySelector<HTMLElement>(".filters input")?.focus();
      else return;
      event.preventDefault();
    };
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, []);
  return (
    <>
      <Button look="quiet" aria-label="Keyboard shortcuts" onPress={() => setOpen(true)}>
        ?
      </Button>
      <Dialog title="Keyboard" isOpen={open} onClose={() => setOpen(false)}>
        <dl className="facts">
          {KEYS.map(([key, meaning]) => (
            <div key={key}>
              <dt>
                <kbd>{key}</kbd>
              </dt>
              <dd>{meaning}</dd>
            </div>
          ))}
        </dl>
      </Dialog>
    </>
  );
}
