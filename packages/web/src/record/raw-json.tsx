/** JSON as text, to copy and to download. Closed until asked for: it is long. */
import { useMemo, useState } from "react";
import { Button, Toggle } from "../control/button.tsx";
import { Section } from "./facts.tsx";

function download(name: string, text: string): void {
  const url = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

export function RawJson({
  title,
  name,
  value,
  sha256,
}: {
  title: string;
  name: string;
  value: unknown;
  sha256?: string;
}) {
  const [shown, setShown] = useState(false);
  const [copied, setCopied] = useState<"" | "Copied" | "The browser did not allow copying">("");
  const text = useMemo(() => JSON.stringify(value, null, 2), [value]);
  const copy = () =>
    navigator.clipboard.writeText(text).then(
      () => setCopied("Copied"),
      () => setCopied("The browser did not allow copying"),
    );
  return (
    <Section
      title={title}
      actions={
        <>
          <span role="status" className="muted">
            {copied}
          </span>
          <Button look="small" onPress={copy}>
            Copy
          </Button>
          <Button look="small" onPress={() => download(name, text)}>
            Download
          </Button>
          <Toggle look="small" isSelected={shown} onChange={setShown}>
            Show
          </Toggle>
        </>
      }
    >
      {shown ? (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls must be reachable by keyboard
        <section className="inside raw" tabIndex={0} aria-label={`${title} as JSON`}>
          <pre>{text}</pre>
          {sha256 && <p className="muted mono wrapped">sha256 {sha256}</p>}
        </section>
      ) : (
        <p className="inside muted">JSON, as it is stored.</p>
      )}
    </Section>
  );
}
