// The files of a message: pictures small and in place, everything to be saved.

import { Download } from "lucide-react";
import type { Attachment, Message } from "#proto/model";
import type { ServerLink } from "#socket";
import { linkTo } from "../files/fileApi.ts";
import { sizeText } from "../files/sizeText.ts";
import { useThumbnail } from "../hooks/useThumbnail.ts";

export function MessageFiles(props: { link: ServerLink; message: Message; tabIndex: number }) {
  const { attachments } = props.message;
  if (attachments.length === 0) return null;
  return (
    <ul className="message-files" aria-label="Files">
      {attachments.map((attachment) => (
        <li key={attachment.fileId}>
          <MessageFile {...props} attachment={attachment} />
        </li>
      ))}
    </ul>
  );
}

/** What a picture is shown in, in CSS pixels. */
const box = { width: 400, height: 300 };

function MessageFile(props: {
  link: ServerLink;
  message: Message;
  attachment: Attachment;
  tabIndex: number;
}) {
  const { link, message, attachment } = props;
  const { channelId, messageId } = message;
  const { fileId, name, width, height } = attachment;
  const isPicture = width > 0 && height > 0;
  const place = { channelId, messageId, fileId };
  const thumbnail = useThumbnail(link, place, isPicture);
  const scale = isPicture ? Math.min(1, box.width / width, box.height / height) : 1;

  const open = async () => {
    const href = await linkTo(link, place, false);
    if (href === undefined) return;
    // The server says whether it is shown or saved; a page of another origin ignores `download`.
    const anchor = document.createElement("a");
    anchor.href = href;
    anchor.target = "_blank";
    anchor.rel = "noopener noreferrer";
    anchor.click();
  };

  return (
    <button
      type="button"
      className={isPicture ? "file-picture" : "file-card"}
      tabIndex={props.tabIndex}
      aria-label={`Open ${name}, ${sizeText(Number(attachment.sizeBytes))}`}
      onClick={() => void open()}
    >
      {isPicture ? (
        <img
          src={thumbnail}
          alt={name}
          width={Math.round(width * scale)}
          height={Math.round(height * scale)}
          data-loaded={thumbnail !== undefined}
        />
      ) : (
        <>
          <Download size={18} aria-hidden="true" />
          <span className="file-name">{name}</span>
          <span className="file-detail">{sizeText(Number(attachment.sizeBytes))}</span>
        </>
      )}
    </button>
  );
}
