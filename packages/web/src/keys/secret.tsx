/** A new secret, this once. Only its own button closes it: a press beside it would lose the key. */
import { useState } from "react";
import { Button } from "../control/button.tsx";
import { Dialog } from "../control/dialog.tsx";

export function Secret({ secret, name, onClose }: { secret: string; name: string; onClose(): void }) {
  const [said, setSaid] = useState("");
  const copy = () =>
    navigator.clipboard.writeText(secret).then(
      () => setSaid("Copied"),
      () => setSaid("The browser did not allow copying: mark it and copy it yourself"),
    );
  return (
    <Dialog title={`The key ${name}`} isOpen closable={false} onClose={onClose}>
      <p>Copy it now. It is not kept and will not be shown again.</p>
      <code className="secret">{secret}</code>
      <div className="row end">
        <span role="status" className="muted">
          {said}
        </span>
        <Button onPress={copy}>Copy</Button>
        <Button look="primary" onPress={onClose}>
          I have it
        </Button>
      </div>
    </Dialog>
  );
}
