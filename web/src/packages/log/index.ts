// The one door to the browser's console: levels, and a fixed phrase with values as fields.

type Fields = Readonly<Record<string, unknown>>;

function write(level: "debug" | "info" | "warn" | "error", phrase: string, fields?: Fields): void {
  // biome-ignore lint/suspicious/noConsole: the logger is the one place that may.
  const sink = console[level];
  if (fields === undefined) sink(phrase);
  else sink(phrase, fields);
}

/** Logs a fixed phrase. Never pass tokens or message texts. */
export const log = {
  debug: (phrase: string, fields?: Fields) => write("debug", phrase, fields),
  info: (phrase: string, fields?: Fields) => write("info", phrase, fields),
  warn: (phrase: string, fields?: Fields) => write("warn", phrase, fields),
  error: (phrase: string, fields?: Fields) => write("error", phrase, fields),
};
