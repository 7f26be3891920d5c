// The look that all packages share.

import "./tokens.css";
import "./base.css";
import "./controls.css";

export { Avatar } from "./Avatar.tsx";
export { Blank, Loading, Notice } from "./Blank.tsx";
export { Button, IconButton } from "./Button.tsx";
export { Confirm, Dialog } from "./Dialog.tsx";
export { Choice, Select, Slider, Switch, TextField } from "./Field.tsx";
