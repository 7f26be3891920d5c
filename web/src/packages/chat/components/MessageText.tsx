// A message's Markdown. Raw HTML stays text, and nothing of another host is loaded.

import { memo } from "react";
import Markdown, { type Components } from "react-markdown";
import remarkGfm from "remark-gfm";

const plugins = [remarkGfm];

const components: Components = {
  a: ({ href, children }) => (
    <a href={href} target="_blank" rel="noreferrer noopener">
      {children}
    </a>
  ),
  // A picture of another host would tell that host who reads along.
  img: ({ src, alt }) => (
    <a href={typeof src === "string" ? src : undefined} target="_blank" rel="noreferrer noopener">
      {alt || "image"}
    </a>
  ),
  // Headings of messages are no headings of the page.
  h1: ({ children }) => <p className="message-heading">{children}</p>,
  h2: ({ children }) => <p className="message-heading">{children}</p>,
  h3: ({ children }) => <p className="message-heading">{children}</p>,
  h4: ({ children }) => <p className="message-heading">{children}</p>,
  h5: ({ children }) => <p className="message-heading">{children}</p>,
  h6: ({ children }) => <p className="message-heading">{children}</p>,
  input: ({ checked }) => <span>{checked ? "☑" : "☐"}</span>,
  table: ({ children }) => (
    <div className="message-table">
      <table>{children}</table>
    </div>
  ),
};

export const MessageText = memo(function MessageText(props: { text: string }) {
  return (
    <div className="message-text">
      <Markdown remarkPlugins={plugins} components={components}>
        {props.text}
      </Markdown>
    </div>
  );
});
