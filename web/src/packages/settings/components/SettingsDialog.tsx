// The settings: pages beside each other. What belongs to other packages comes in as pages.

import { X } from "lucide-react";
import { Dialog as RadixDialog, Tabs } from "radix-ui";
import type { ReactNode } from "react";
import { IconButton } from "#ui";
import "../settings.css";

export interface SettingsPage {
  id: string;
  label: string;
  icon: ReactNode;
  content: ReactNode;
}

export function SettingsDialog(props: {
  pages: readonly SettingsPage[];
  /** The id of the open page; undefined: closed. */
  page: string | undefined;
  onPage: (id: string | undefined) => void;
}) {
  const { pages, page, onPage } = props;
  return (
    <RadixDialog.Root open={page !== undefined} onOpenChange={(open) => !open && onPage(undefined)}>
      <RadixDialog.Portal>
        <RadixDialog.Overlay className="dialog-veil" />
        <RadixDialog.Content
          className="dialog settings"
          aria-describedby={undefined}
          onOpenAutoFocus={(event) => {
            event.preventDefault();
            const content = event.currentTarget as HTMLElement;
            content.querySelector<HTMLElement>('[role="tab"][data-state="active"]')?.focus();
          }}
        >
          <header className="settings-head">
            <RadixDialog.Title className="dialog-title">Settings</RadixDialog.Title>
            <IconButton label="Close settings" onClick={() => onPage(undefined)}>
              <X size={18} />
            </IconButton>
          </header>
          <Tabs.Root
            className="settings-tabs"
            orientation="vertical"
            value={page ?? ""}
            onValueChange={onPage}
          >
            <Tabs.List className="settings-list" aria-label="Settings pages">
              {pages.map(({ id, label, icon }) => (
                <Tabs.Trigger key={id} className="settings-tab" value={id}>
                  {icon}
                  {label}
                </Tabs.Trigger>
              ))}
            </Tabs.List>
            {pages.map(({ id, label, content }) => (
              <Tabs.Content key={id} className="settings-page" value={id}>
                <h2>{label}</h2>
                {content}
              </Tabs.Content>
            ))}
          </Tabs.Root>
        </RadixDialog.Content>
      </RadixDialog.Portal>
    </RadixDialog.Root>
  );
}
