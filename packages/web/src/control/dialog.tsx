/** Dialogs: in the middle, or from the side (drawers). Esc and a press outside close them. */
import type { ReactNode } from "react";
import { Dialog as AriaDialog, Heading } from "react-aria-components/Dialog";
import { Modal, ModalOverlay } from "react-aria-components/Modal";
import { Button } from "./button.tsx";

export function Dialog({
  title,
  place = "middle",
  isOpen,
  onClose,
  closable = true,
  actions,
  children,
}: {
  title: string;
  place?: "middle" | "side" | "end";
  isOpen: boolean;
  onClose(): void;
  /** False: only its own buttons end it. */
  closable?: boolean;
  /** Beside the title. */
  actions?: ReactNode;
  children: ReactNode;
}) {
  return (
    <ModalOverlay
      className={place === "middle" ? "overlay" : `overlay at-${place}`}
      isOpen={isOpen}
      isDismissable={closable}
      isKeyboardDismissDisabled={!closable}
      onOpenChange={(open) => {
        if (!open) onClose();
      }}
    >
      <Modal className="modal">
        <AriaDialog className="dialog">
          <div className="row apart">
            <Heading slot="title">{title}</Heading>
            <div className="row">
              {actions}
              {closable && (
                <Button look="quiet small" aria-label="Close" onPress={onClose}>
                  ✕
                </Button>
              )}
            </div>
          </div>
          {children}
        </AriaDialog>
      </Modal>
    </ModalOverlay>
  );
}
