// Text channels.

export { ChatView } from "./components/ChatView.tsx";
export { fetchPage } from "./hooks/useHistory.ts";
export { markRead, readUpTo, unreadCount } from "./readMarks.ts";
