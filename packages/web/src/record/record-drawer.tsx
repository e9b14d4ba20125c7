/** A record beside the list that it was opened from. */
import { Link } from "@tanstack/react-router";
import { Dialog } from "../control/dialog.tsx";
import type { OnOther } from "./record-neighbours.tsx";
import { RecordView } from "./record-view.tsx";

export default function RecordDrawer({
  id,
  receivedAt,
  onClose,
  onOther,
}: {
  id: string;
  receivedAt: string | undefined;
  onClose(): void;
  onOther: OnOther;
}) {
  return (
    <Dialog
      title="Record"
      place="end"
      isOpen
      onClose={onClose}
      actions={
        <Link className="button small" to="/records/$id" params={{ id }} search={{ receivedAt }}>
          Open as page
        </Link>
      }
    >
      <RecordView key={`${receivedAt}#${id}`} id={id} receivedAt={receivedAt} onOther={onOther} />
    </Dialog>
  );
}
