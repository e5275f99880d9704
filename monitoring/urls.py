"""Pages of monitoring."""

from django.urls import path

from monitoring.views import alerts, monitors, reports

app_name = "monitoring"
urlpatterns = [
    path("monitoring/", monitors.MonitorList.as_view(), name="monitor-list"),
    path("monitoring/new/", monitors.MonitorCreate.as_view(), name="monitor-create"),
    path("monitoring/alerts/", alerts.AlertList.as_view(), name="alert-list"),
    path("monitoring/alerts/<uuid:uid>/", alerts.AlertDetail.as_view(), name="alert-detail"),
    path("monitoring/alerts/<uuid:uid>/handle", alerts.alert_handle, name="alert-handle"),
    path("monitoring/rules/<uuid:uid>/", alerts.RuleDetail.as_view(), name="rule-detail"),
    path("monitoring/rules/<uuid:uid>/switch", alerts.rule_switch, name="rule-switch"),
    path("monitoring/reports/<uuid:uid>/", reports.ReportDetail.as_view(), name="report-detail"),
    path("monitoring/reports/<uuid:uid>/frame", reports.report_frame, name="report-frame"),
    path("monitoring/<uuid:uid>/", monitors.MonitorDetail.as_view(), name="monitor-detail"),
    path("monitoring/<uuid:uid>/rules/new/", alerts.RuleCreate.as_view(), name="rule-create"),
    path("monitoring/<uuid:uid>/reports", reports.report_ask, name="report-ask"),
]
