// The files of a composer: how far each is, and a button to take it out.

import { CircleAlert, Paperclip, X } from "lucide-react";
import { IconButton } from "#ui";
import { sizeText } from "../files/sizeText.ts";
import type { Tray, TrayFile } from "../files/tray.ts";

export function FileTray(props: { tray: Tray; files: readonly TrayFile[] }) {
  if (props.files.length === 0) return null;
  return (
    <ul className="file-tray" aria-label="Files to send">
      {props.files.map((file) => (
        <li key={file.id} className="file-chip" data-state={file.state}>
          <FileSign file={file} />
          <span className="file-name">{file.name}</span>
          <FileState file={file} />
          <IconButton
            label={file.state === "sending" ? `Cancel ${file.name}` : `Remove ${file.name}`}
            size="small"
            onClick={() => props.tray.remove(file.id)}
          >
            <X size={14} />
          </IconButton>
        </li>
      ))}
    </ul>
  );
}

function FileSign({ file }: { file: TrayFile }) {
  if (file.state === "failed") return <CircleAlert size={16} aria-hidden="true" />;
  if (file.preview === undefined) return <Paperclip size={16} aria-hidden="true" />;
  return <img className="file-preview" src={file.preview} alt="" />;
}

function FileState({ file }: { file: TrayFile }) {
  if (file.state === "failed") {
    return (
      <span className="file-detail" role="alert">
        {file.problem}
      </span>
    );
  }
  if (file.state === "there")
    return <span className="file-detail">{sizeText(file.sizeBytes)}</span>;
  return (
    <progress
      aria-label={`Uploading ${file.name}`}
      max={Math.max(1, file.sizeBytes)}
      value={file.sentBytes}
    />
  );
}
