// How numbers and times are written: short, with units, always the same width of meaning.

/** 0.4 ms, 7.2 ms, 310 ms, 1.25 s, 2 min. */
export function duration(ms) {
  if (ms === null || ms === undefined || Number.isNaN(ms)) return "–";
  if (ms < 0.1) return `${Math.round(ms * 1000)} µs`;
  if (ms < 9.95) return `${ms.toFixed(1)} ms`;
  if (ms < 999.5) return `${Math.round(ms)} ms`;
  if (ms < 59_950) return `${(ms / 1000).toFixed(ms < 9_950 ? 2 : 1)} s`;
  return `${Math.round(ms / 60_000)} min`;
}

/** 0, <0.1, 0.3, 12, 4.2 k: events a second. */
export function rate(perSecond) {
  if (perSecond >= 999.5) return `${(perSecond / 1000).toFixed(1)} k`;
  if (perSecond >= 9.95) return String(Math.round(perSecond));
  if (perSecond > 0) return perSecond < 0.1 ? "<0.1" : perSecond.toFixed(1);
  return "0";
}

/** A share of 0 to 1: 0 %, 0.4 %, 12 %. */
export function percent(share) {
  const value = share * 100;
  if (value === 0) return "0 %";
  return value < 9.95 ? `${Math.max(value, 0.1).toFixed(1)} %` : `${Math.round(value)} %`;
}

/** How long it is since a Unix time: 12 s, 4 min, 3 h, 2 d. */
export function age(since, now = Date.now() / 1000) {
  if (!since) return "–";
  const seconds = Math.max(0, Math.floor(now - since));
  for (const [size, unit] of [[86400, "d"], [3600, "h"], [60, "min"]]) {
    if (seconds >= size) return `${Math.floor(seconds / size)} ${unit}`;
  }
  return `${seconds} s`;
}

/** The local time of day of a Unix time, with milliseconds. */
export function clock(seconds, digits = 0) {
  const date = new Date(seconds * 1000);
  const time = date.toLocaleTimeString([], { hour12: false });
  return digits ? `${time}.${String(date.getMilliseconds()).padStart(3, "0").slice(0, digits)}` : time;
}

/** The full local time, for a tooltip. */
export function moment(seconds) {
  return seconds ? new Date(seconds * 1000).toLocaleString([], { hour12: false }) : "";
}

/** `mesh/chat-0` → `chat-0`, if `namespace` is the one that all share. */
export function short(key, namespace) {
  return namespace && key.startsWith(`${namespace}/`) ? key.slice(namespace.length + 1) : key;
}

/** `deploy/istio/user.yaml:12` of an absolute file: as much of the path as tells it apart. */
export function place(file, line) {
  const parts = file.split("/");
  return `${parts.slice(-3).join("/")}${line ? `:${line}` : ""}`;
}

/** `ChatService/SendMessage` of `/chat.v1.ChatService/SendMessage`. */
export function method(what) {
  return what.replace(/^\/(?:[\w.]*\.)?(\w+\/\w+)$/, "$1");
}
