// A stream of server-sent events that comes back by itself: the browser asks again a second after it breaks.

/**
 * Follow `url` as long as the page can be seen: nobody reads what stands behind. `handlers` has a function for each
 * event name, and `connected(yes)` for the stream itself. Returns what ends it.
 */
export function follow(url, { connected, ...handlers }) {
  let source = null;
  let again;
  const open = () => {
    if (source || document.hidden) return;
    source = new EventSource(url);
    source.onopen = () => connected?.(true);
    source.onerror = () => {
      connected?.(false);
      // CLOSED: an answer that was no stream (such as 503); the browser itself asks again only after a broken one.
      if (source.readyState !== EventSource.CLOSED) return;
      close();
      again = setTimeout(open, 2000);
    };
    for (const [name, handle] of Object.entries(handlers)) {
      source.addEventListener(name, (event) => handle(JSON.parse(event.data)));
    }
  };
  const close = () => {
    clearTimeout(again);
    source?.close();
    source = null;
  };
  const seen = () => (document.hidden ? close() : open());
  document.addEventListener("visibilitychange", seen);
  open();
  return () => {
    document.removeEventListener("visibilitychange", seen);
    close();
  };
}

/** The JSON at `url`. Rejects with what the server says of an error. */
export async function ask(url, signal) {
  const answer = await fetch(url, { signal });
  if (!answer.ok) throw new Error((await answer.text()).trim() || `${answer.status} ${answer.statusText}`);
  return answer.json();
}
