// The few things every part of the page does with the document.

/** The element with this id; page.html has it. */
export function find(id) {
  return document.getElementById(id);
}

/** A new element. Children that are strings become text, never markup. */
export function create(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

/** Appends to a list, dropping its oldest items past `limit`; stays at the end if it was there. */
export function appendBounded(list, item, limit) {
  const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 40;
  list.append(item);
  while (list.childElementCount > limit) list.firstElementChild.remove();
  if (atEnd) list.scrollTop = list.scrollHeight;
}

/** Copies `text` and says so on the button for a moment. */
export async function copy(text, button) {
  button.dataset.label ??= button.textContent;
  const copied = await toClipboard(text);
  button.textContent = copied ? 'Copied' : 'Not allowed';
  setTimeout(() => { button.textContent = button.dataset.label; }, 1500);
}

async function toClipboard(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // A page served by plain HTTP from another machine has no clipboard, but it has this.
    const field = create('textarea', { value: text });
    document.body.append(field);
    field.select();
    const copied = document.execCommand('copy');
    field.remove();
    return copied;
  }
}
