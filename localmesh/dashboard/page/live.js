// A stream of server-sent events that comes back by itself: the browser asks again a second after it breaks.

/**
 * Follow `url`. `handlers` has a function for each event name, and `connected(yes)` for the stream itself.
 * Returns what ends it.
 */
export function follow(url, { connected, ...handlers }) {
  let source;
  let again;
  const open = () => {
    source = new EventSource(url);
    source.onopen = () => connected?.(true);
    source.onerror = () => {
      connected?.(false);
      // CLOSED: an answer that was no stream (such as 503); the browser itself asks again only after a broken one.
      if (source.readyState === EventSource.CLOSED) again = setTimeout(open, 2000);
    };
    for (const [name, handle] of Object.entries(handlers)) {
      source.addEventListener(name, (event) => handle(JSON.parse(event.data)));
    }
  };
  open();
  return () => {
    clearTimeout(again);
    source.close();
  };
}

/** The JSON at `url`. Rejects with what the server says of an error. */
export async function ask(url, signal) {
  const answer = await fetch(url, { signal });
  if (!answer.ok) throw new Error((await answer.text()).trim() || `${answer.status} ${answer.statusText}`);
  return answer.json();
}
