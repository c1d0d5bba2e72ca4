/* Kinds of notices to the operator. */
#ifndef VMDECK_TUI_CONSOLE_NOTICE_H
#define VMDECK_TUI_CONSOLE_NOTICE_H

enum notice_kind { NOTICE_INFO, NOTICE_OK, NOTICE_WARN, NOTICE_ERROR };

#endif
