// preact with templates in place of JSX: what is inside ${} is text, never markup.
import { h, render } from "preact";
import htm from "htm";

export const html = htm.bind(h);
export { render };
export { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
