// Dialogs: one to fill in, one to confirm.

import { AlertDialog, Dialog as RadixDialog } from "radix-ui";
import type { ReactNode } from "react";
import { Button } from "./Button.tsx";

/** A dialog over the page. Escape and a click beside it close it. */
export function Dialog(props: {
  title: string;
  text?: string;
  open: boolean;
  onClose: () => void;
  className?: string;
  children: ReactNode;
}) {
  return (
    <RadixDialog.Root open={props.open} onOpenChange={(open) => !open && props.onClose()}>
      <RadixDialog.Portal>
        <RadixDialog.Overlay className="dialog-veil" />
        <RadixDialog.Content
          className={`dialog ${props.className ?? ""}`}
          {...(props.text ? {} : { "aria-describedby": undefined })}
        >
          <div>
            <RadixDialog.Title className="dialog-title">{props.title}</RadixDialog.Title>
            {props.text && (
              <RadixDialog.Description className="dialog-text">
                {props.text}
              </RadixDialog.Description>
            )}
          </div>
          {props.children}
        </RadixDialog.Content>
      </RadixDialog.Portal>
    </RadixDialog.Root>
  );
}

/** Asks before something that cannot be undone. */
export function Confirm(props: {
  title: string;
  text: string;
  action: string;
  open: boolean;
  onConfirm: () => void;
  onClose: () => void;
}) {
  return (
    <AlertDialog.Root open={props.open} onOpenChange={(open) => !open && props.onClose()}>
      <AlertDialog.Portal>
        <AlertDialog.Overlay className="dialog-veil" />
        <AlertDialog.Content className="dialog">
          <div>
            <AlertDialog.Title className="dialog-title">{props.title}</AlertDialog.Title>
            <AlertDialog.Description className="dialog-text">{props.text}</AlertDialog.Description>
          </div>
          <div className="dialog-actions">
            <AlertDialog.Cancel asChild>
              <Button tone="plain">Cancel</Button>
            </AlertDialog.Cancel>
            <AlertDialog.Action asChild>
              <Button tone="danger" onClick={props.onConfirm}>
                {props.action}
              </Button>
            </AlertDialog.Action>
          </div>
        </AlertDialog.Content>
      </AlertDialog.Portal>
    </AlertDialog.Root>
  );
}
