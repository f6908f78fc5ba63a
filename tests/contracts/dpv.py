"""The terms of the Data Privacy Vocabulary that may be used: each looked up in version 2.1.

Source: the tables of https://w3id.org/dpv/2.1 and of its extensions pd, sector/education and legal/eu/gdpr, as the W3C
Data Privacy Vocabularies and Controls Community Group published them in February 2025. Look a term up there before
adding it.
"""

from __future__ import annotations

_USED = {
    "https://w3id.org/dpv#": """
        AlgorithmicLogic ConsentNotice DataController DataProtectionOfficer DataSource DerivedPersonalData
        HumanInvolvementForDecision ImproveExistingProductsAndServices Justification ObservedPersonalData Optional
        Permission PersonalDataProcess Prohibition Recipient Rule ServiceUsageAnalytics SpecialCategoryPersonalData
        StorageDuration Student TemporalDuration UntilEventDuration hasAlgorithmicLogic hasDataController hasDataSource
        hasDataSubject hasDuration hasHumanInvolvement hasJustification hasLegalBasis hasNecessity hasNotice
        hasPermission hasPersonalData hasPersonalDataProcess hasProhibition hasPurpose hasRecipient hasRight hasRule
        hasStorageCondition
    """,
    "https://w3id.org/dpv/pd#": """
        Behavioral Disability Education EthnicOrigin Financial Health PhilosophicalBelief PoliticalOpinion Race
        ReligiousBelief ServiceConsumptionBehavior Sexual TradeUnionMembership
    """,
    "https://w3id.org/dpv/sector/education#": "StudentGuidanceManagement StudentLearningFeedbackManagement",
    "https://w3id.org/dpv/legal/eu/gdpr#": "A13 A15 A16 A17 A21 A22-3-a A6-1-a A7-3 A77 A9-2-a",
}
TERMS = {namespace + name for namespace, names in _USED.items() for name in names.split()}
